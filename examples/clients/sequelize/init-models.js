import _sequelize from "sequelize";
const DataTypes = _sequelize.DataTypes;
import _contacts from  "./contacts.js";
import _deal_changes from  "./deal_changes.js";
import _deal_contacts from  "./deal_contacts.js";
import _deal_pushes from  "./deal_pushes.js";
import _deal_tags from  "./deal_tags.js";
import _deals from  "./deals.js";
import _exchange_rates from  "./exchange_rates.js";
import _owners from  "./owners.js";
import _people from  "./people.js";
import _pipeline_stage_summary from  "./pipeline_stage_summary.js";
import _pipelines from  "./pipelines.js";
import _rotting_deals from  "./rotting_deals.js";
import _stage_changes from  "./stage_changes.js";
import _stage_forecast_categories from  "./stage_forecast_categories.js";
import _stage_totals from  "./stage_totals.js";
import _stage_visits from  "./stage_visits.js";
import _stages from  "./stages.js";
import _tags from  "./tags.js";
import _users from  "./users.js";

export default function initModels(sequelize) {
  const contacts = _contacts.init(sequelize, DataTypes);
  const deal_changes = _deal_changes.init(sequelize, DataTypes);
  const deal_contacts = _deal_contacts.init(sequelize, DataTypes);
  const deal_pushes = _deal_pushes.init(sequelize, DataTypes);
  const deal_tags = _deal_tags.init(sequelize, DataTypes);
  const deals = _deals.init(sequelize, DataTypes);
  const exchange_rates = _exchange_rates.init(sequelize, DataTypes);
  const owners = _owners.init(sequelize, DataTypes);
  const people = _people.init(sequelize, DataTypes);
  const pipeline_stage_summary = _pipeline_stage_summary.init(sequelize, DataTypes);
  const pipelines = _pipelines.init(sequelize, DataTypes);
  const rotting_deals = _rotting_deals.init(sequelize, DataTypes);
  const stage_changes = _stage_changes.init(sequelize, DataTypes);
  const stage_forecast_categories = _stage_forecast_categories.init(sequelize, DataTypes);
  const stage_totals = _stage_totals.init(sequelize, DataTypes);
  const stage_visits = _stage_visits.init(sequelize, DataTypes);
  const stages = _stages.init(sequelize, DataTypes);
  const tags = _tags.init(sequelize, DataTypes);
  const users = _users.init(sequelize, DataTypes);

  deals.belongsToMany(tags, { as: 'tag_id_tags', through: deal_tags, foreignKey: "deal_id", otherKey: "tag_id" });
  tags.belongsToMany(deals, { as: 'deal_id_deals', through: deal_tags, foreignKey: "tag_id", otherKey: "deal_id" });
  deal_contacts.belongsTo(deals, { as: "deal", foreignKey: "deal_id"});
  deals.hasMany(deal_contacts, { as: "deal_contacts", foreignKey: "deal_id"});
  deal_tags.belongsTo(deals, { as: "deal", foreignKey: "deal_id"});
  deals.hasMany(deal_tags, { as: "deal_tags", foreignKey: "deal_id"});
  deal_contacts.belongsTo(people, { as: "contact", foreignKey: "contact_id"});
  people.hasMany(deal_contacts, { as: "deal_contacts", foreignKey: "contact_id"});
  deals.belongsTo(pipelines, { as: "pipeline", foreignKey: "pipeline_id"});
  pipelines.hasMany(deals, { as: "deals", foreignKey: "pipeline_id"});
  stages.belongsTo(pipelines, { as: "pipeline", foreignKey: "pipeline_id"});
  pipelines.hasMany(stages, { as: "stages", foreignKey: "pipeline_id"});
  deals.belongsTo(stages, { as: "stage", foreignKey: "stage_id"});
  stages.hasMany(deals, { as: "deals", foreignKey: "stage_id"});
  deal_tags.belongsTo(tags, { as: "tag", foreignKey: "tag_id"});
  tags.hasMany(deal_tags, { as: "deal_tags", foreignKey: "tag_id"});
  deals.belongsTo(users, { as: "owner", foreignKey: "owner_id"});
  users.hasMany(deals, { as: "deals", foreignKey: "owner_id"});

  return {
    contacts,
    deal_changes,
    deal_contacts,
    deal_pushes,
    deal_tags,
    deals,
    exchange_rates,
    owners,
    people,
    pipeline_stage_summary,
    pipelines,
    rotting_deals,
    stage_changes,
    stage_forecast_categories,
    stage_totals,
    stage_visits,
    stages,
    tags,
    users,
  };
}
