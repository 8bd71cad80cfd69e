"""SQLAlchemy, with classes that automap makes of the database."""

import os

from sqlalchemy import MetaData, Table, create_engine, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session, relationship

from tap import check, refused

engine = create_engine(os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg2://"), future=True)
Base = automap_base(metadata=MetaData(schema="crm"))
# Version numbers are the CRM's: SQLAlchemy compares them and counts none itself.


class Deal(Base):
    __tablename__ = "deals"
    __table__ = Table("deals", Base.metadata, autoload_with=engine)
    __mapper_args__ = {"version_id_col": __table__.c.version, "version_id_generator": False, "eager_defaults": True}
    tags = relationship("tags", secondary=lambda: Base.metadata.tables["crm.deal_tags"], overlaps="*")


Base.prepare(autoload_with=engine)
Pipeline, Stage, Tag, StageChange = (Base.classes[name] for name in ("pipelines", "stages", "tags", "stage_changes"))
# Views have no keys, so that automap leaves them out.
owners = Table("owners", Base.metadata, autoload_with=engine)
session = Session(engine, future=True)

check("introspects", Deal.__table__.c.stage_id.server_default.arg.text.startswith("crm_defaults.")
      and {"stages", "deal_contacts"} <= set(Base.classes.keys()))

pipeline_id = session.execute(text("SELECT CAST(id AS text) FROM create_pipeline('sqlalchemy', :stages)"), {"stages":
    '[{"name": "Lead", "probability": 0.1}, {"name": "Proposal", "probability": 0.6}, {"name": "Won", "deal_status": "won"}]'}).scalar_one()
lead, proposal = session.scalars(select(Stage).where(Stage.pipeline_id == pipeline_id).order_by(Stage.position).limit(2))
owner_id = session.execute(select(owners.c.id)).scalar_one()

deal = Deal(title="Presses", amount="48000.50", pipeline_id=pipeline_id, owner_id=owner_id)
session.add(deal)
session.commit()
check("creates, and reads what was filled in", deal.stage_id == lead.id and deal.status == "open"
      and deal.currency == "USD" and float(deal.probability) == 0.1 and deal.version == 1)

row = dict(session.execute(select(Deal.__table__).where(Deal.id == deal.id)).mappings().one())
for _ in range(2):
    row = dict(session.execute(update(Deal.__table__).where(Deal.id == deal.id).values(row).returning(Deal.__table__)).mappings().one())
check("saves the whole row twice", row["version"] == 3 and row["move_no"] == 0)
session.commit()
deal.title, deal.probability, deal.currency, deal.status = "Presses 2", None, None, None
session.commit()
check("null is not given", float(deal.probability) == 0.1 and deal.currency == "USD" and deal.version == 4)

deal.stage_id = proposal.id
session.commit()
check("moves", deal.stages.name == "Proposal" and float(deal.probability) == 0.6 and deal.move_no == 1)


def attempt(statement):
    def call():
        with engine.begin() as connection:
            connection.execute(statement)
    return call


refused("refuses a stale move", attempt(select(func.crm.move_deal(deal.id, lead.id, None, None, lead.id))), "PT409", DBAPIError)
stale = session.execute(update(Deal.__table__).where(Deal.id == deal.id, Deal.version == deal.version - 1).values(amount=1))
check("a stale version updates no row", stale.rowcount == 0)
refused("refuses a status without a stage", attempt(update(Deal.__table__).where(Deal.id == deal.id).values(status="lost")), "23514", DBAPIError)

session.execute(insert(Deal.__table__), [{"title": title, "pipeline_id": pipeline_id} for title in ("One", "Two", "Three")])
for amount in (10, 20):
    statement = upsert(Deal.__table__).values(external_id="sqlalchemy-1", title="Synced", amount=amount, pipeline_id=pipeline_id)
    statement = statement.on_conflict_do_update(index_elements=["tenant_id", "external_id"], set_={"amount": statement.excluded.amount})
    synced = session.execute(statement.returning(Deal.amount)).scalar_one()
check("creates in bulk, and upserts", synced == 20)

deal.tags.append(Tag(name="sqlalchemy"))
session.commit()
owner = session.execute(select(owners.c.name).join(Deal, Deal.owner_id == owners.c.id).where(Deal.id == deal.id)).scalar_one()
check("includes relations", deal.stages.name == "Proposal" and deal.pipelines.name == "sqlalchemy"
      and deal.tags[0].name == "sqlalchemy" and owner == "Ada")
history = session.scalars(select(StageChange).where(StageChange.deal_id == deal.id)).all()
summary = session.execute(select(func.crm.pipeline_summary(pipeline_id))).scalar_one()
check("history and summary", history[0].to_stage_id == proposal.id and summary["open"]["total_deals"] == 5)
deleted = session.execute(delete(Deal.__table__).where(Deal.pipeline_id == pipeline_id))
session.commit()
check("deletes", deleted.rowcount == 5)
