import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class stages extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.new_id'),
      comment: "Identifier, time-ordered; may be chosen by the client, never changes",
      primaryKey: true
    },
    tenant_id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: "00000000-0000-0000-0000-000000000000",
      comment: "The tenant of the pipeline; filled in, never changes",
      unique: "stages_external_id_key"
    },
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The pipeline the stage belongs to; never changes",
      references: {
        model: 'pipelines',
        key: 'id'
      }
    },
    name: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "Name, unique in the pipeline among stages that are not archived, compared by crm_name_key"
    },
    position: {
      type: DataTypes.INTEGER,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.filled_in_integer'),
      comment: "Place in the order of the pipeline, unique there among stages that are not archived; default: the end. Change it with reorder_stages"
    },
    deal_status: {
      type: DataTypes.TEXT,
      allowNull: false,
      defaultValue: "auto",
      comment: "The status of a deal while it stands here: open, won or lost; default: open"
    },
    probability: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The probability, 0 to 1, that a deal gets when it enters; 1 for won, 0 for lost; null: deals keep theirs"
    },
    rotting_days: {
      type: DataTypes.INTEGER,
      allowNull: true,
      comment: "Days in the stage after which an open deal counts as rotting; null: never"
    },
    forecast_category: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The category of the deals in forecasts: pipeline, best_case, commit or omitted if open; closed or omitted if won; omitted if lost; null: by status and position, see stage_forecast_categories"
    },
    external_id: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Identifier in the system the row was synchronised from; unique per tenant",
      unique: "stages_external_id_key"
    },
    metadata: {
      type: DataTypes.JSONB,
      allowNull: false,
      defaultValue: {},
      comment: "Further data of your own, a JSON object"
    },
    archived_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the stage was archived; from then on it takes no new deals"
    }
  }, {
    sequelize,
    tableName: 'stages',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "stages_external_id_key",
        unique: true,
        fields: [
          { name: "external_id" },
          { name: "tenant_id" },
        ]
      },
      {
        name: "stages_name_key",
        unique: true,
        fields: [
          { name: "pipeline_id" },
        ]
      },
      {
        name: "stages_pipeline_id_idx",
        fields: [
          { name: "pipeline_id" },
        ]
      },
      {
        name: "stages_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
      {
        name: "stages_position_key",
        unique: true,
        fields: [
          { name: "pipeline_id" },
          { name: "position" },
        ]
      },
    ]
  });
  }
}
