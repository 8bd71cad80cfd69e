"""Django, with the unmanaged models of django_crm."""

import os
import urllib.parse

import django
from django.conf import settings

url = urllib.parse.urlparse(os.environ["DATABASE_URL"])
settings.configure(USE_TZ=True, INSTALLED_APPS=["django_crm"], DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username,
    "PASSWORD": url.password, "HOST": url.hostname, "PORT": url.port}})
django.setup()

from django.core.management.commands.inspectdb import Command
from django.db import DatabaseError, connection, transaction

from django_crm.models import Deal, Owner, Pipeline, Stage, StageChange, Tag
from tap import check, refused


def call(query, *parameters):
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(query, parameters)
        return cursor.fetchone()[0]


options = {"database": "default", "table": ["deals", "deal_contacts", "pipelines"], "include_partitions": False, "include_views": False}
found = "\n".join(Command().handle_inspection(options))
check("introspects", "stage = models.ForeignKey" in found and "OneToOneField(" not in found and "'is_primary'" not in found)

pipeline = Pipeline.objects.get(pk=call("SELECT id FROM create_pipeline('django', %s)",
    '[{"name": "Lead", "probability": 0.1}, {"name": "Proposal", "probability": 0.6}, {"name": "Won", "deal_status": "won"}]'))
lead, proposal = Stage.objects.filter(pipeline=pipeline).order_by("position")[:2]
owner = Owner.objects.get()

deal = Deal.objects.create(title="Presses", amount="48000.50", pipeline=pipeline, owner=owner)
unread = Deal(**{field.attname: getattr(deal, field.attname) for field in Deal._meta.concrete_fields})
deal.refresh_from_db()
check("creates, and reads what was filled in", deal.stage == lead and deal.status == "open"
      and deal.currency == "USD" and float(deal.probability) == 0.1 and deal.version == 1)

deal.save()
deal.save()
deal.refresh_from_db()
check("saves the whole row twice", deal.version == 3 and deal.move_no == 0)
# The object of the new deal, which has not been read: Django sends all of its nulls.
unread._state.adding = False
unread.save()
deal.refresh_from_db()
check("null is not given", float(deal.probability) == 0.1 and deal.currency == "USD" and deal.stage == lead and deal.version == 4)

deal.stage = proposal
deal.save()
deal.refresh_from_db()
check("moves", deal.stage == proposal and float(deal.probability) == 0.6 and deal.move_no == 1)
refused("refuses a stale move", lambda: call("SELECT id FROM move_deal(%s, %s, expected_stage_id => %s)", deal.pk, lead.pk, lead.pk), "PT409", DatabaseError)
check("a stale version updates no row", Deal.objects.filter(pk=deal.pk, version=deal.version - 1).update(amount=1) == 0)
refused("refuses a status without a stage", lambda: Deal.objects.filter(pk=deal.pk).update(status="lost"), "23514", DatabaseError)

Deal.objects.bulk_create(Deal(title=title, pipeline=pipeline) for title in ("One", "Two", "Three"))
for amount in (10, 20):
    synced, _ = Deal.objects.update_or_create(external_id="django-1", pipeline=pipeline, defaults={"title": "Synced", "amount": amount})
check("creates in bulk, and upserts", Deal.objects.get(external_id="django-1").amount == 20)

deal.tags.add(Tag.objects.create(name="django"))
full = Deal.objects.select_related("stage", "pipeline", "owner").prefetch_related("tags").get(pk=deal.pk)
check("includes relations", full.stage.name == "Proposal" and full.pipeline.name == "django" and full.owner.name == "Ada"
      and [tag.name for tag in full.tags.all()] == ["django"])
history = StageChange.objects.filter(deal=deal).order_by("move_no")
total = call("SELECT pipeline_summary(%s) #> '{open,total_deals}'", pipeline.pk)
check("history and summary", history[0].to_stage == proposal and str(total) == "5")
deleted, _ = Deal.objects.filter(pipeline=pipeline).delete()
check("deletes", deleted == 5)
