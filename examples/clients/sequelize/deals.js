import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class deals extends Model {
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
      comment: "The tenant the row belongs to; filled in, never changes",
      unique: "deals_external_id_key"
    },
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.filled_in_uuid'),
      comment: "The pipeline of the stage; writing it alone moves the deal to that pipeline's first open stage",
      references: {
        model: 'pipelines',
        key: 'id'
      }
    },
    stage_id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.filled_in_uuid'),
      comment: "The stage the deal stands in; writing it moves the deal. Default: the first open stage of the pipeline, or of the default pipeline",
      references: {
        model: 'stages',
        key: 'id'
      }
    },
    archived_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the deal was archived; archived deals count in no total"
    },
    amount: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "Value of the deal, in its currency and per its value_period; null: not known"
    },
    currency: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "ISO 4217 code of the amount; the pipeline's if an amount comes without one"
    },
    probability: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "Probability of winning, 0 to 1; set to the stage's when the deal enters it, unless written; always 1 if won and 0 if lost"
    },
    value_period: {
      type: DataTypes.TEXT,
      allowNull: false,
      defaultValue: "one_time",
      comment: "The period that the amount is for: one_time, monthly, quarterly or annual"
    },
    status: {
      type: DataTypes.TEXT,
      allowNull: false,
      defaultValue: "auto",
      comment: "open, won or lost: the deal_status of the stage, which auto, the default, stands for; writing it alone moves the deal to the pipeline's only stage of that status"
    },
    stage_entered_at: {
      type: DataTypes.DATE,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.filled_in_time'),
      comment: "When the deal entered its stage: the effective time of its last move; written together with stage_id, it dates the move"
    },
    move_no: {
      type: DataTypes.INTEGER,
      allowNull: false,
      defaultValue: 0,
      comment: "Number of moves so far; set by a trigger"
    },
    version: {
      type: DataTypes.INTEGER,
      allowNull: false,
      defaultValue: 1,
      comment: "Version number of the row, increased by each update; for optimistic locking"
    },
    title: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "Short name of the deal"
    },
    description: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "What the deal is about"
    },
    owner_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The responsible person: a row of the linked owners table, or any uuid while none is linked",
      references: {
        model: 'users',
        key: 'id'
      }
    },
    organization_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The customer organization: a row of the linked organizations table, or any uuid while none is linked"
    },
    expected_close_date: {
      type: DataTypes.DATEONLY,
      allowNull: true,
      comment: "The day the deal is expected to close"
    },
    forecast_category: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The deal's category in forecasts while it is open: pipeline, best_case, commit or omitted; null: that of its stage. Kept until it is changed; no effect once the deal is closed"
    },
    won_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the deal was won; set if and only if its status is won"
    },
    lost_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the deal was lost; set if and only if its status is lost"
    },
    lost_reason: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Why the deal was lost; only while its status is lost"
    },
    external_id: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Identifier in the system the row was synchronised from; unique per tenant",
      unique: "deals_external_id_key"
    },
    rank: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Order on the board within a stage, compared byte by byte; chosen by the client"
    },
    metadata: {
      type: DataTypes.JSONB,
      allowNull: false,
      defaultValue: {},
      comment: "Further data of your own, a JSON object"
    }
  }, {
    sequelize,
    tableName: 'deals',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "deals_expected_close_date_idx",
        fields: [
          { name: "tenant_id" },
          { name: "expected_close_date" },
        ]
      },
      {
        name: "deals_external_id_key",
        unique: true,
        fields: [
          { name: "external_id" },
          { name: "tenant_id" },
        ]
      },
      {
        name: "deals_owner_id_idx",
        fields: [
          { name: "owner_id" },
        ]
      },
      {
        name: "deals_owner_id_link_idx",
        fields: [
          { name: "owner_id" },
        ]
      },
      {
        name: "deals_pipeline_id_idx",
        fields: [
          { name: "pipeline_id" },
        ]
      },
      {
        name: "deals_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
      {
        name: "deals_stage_id_rank_idx",
        fields: [
          { name: "stage_id" },
          { name: "rank" },
        ]
      },
    ]
  });
  }
}
