import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class stage_changes extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.new_id'),
      comment: "Identifier, time-ordered",
      primaryKey: true
    },
    tenant_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The tenant of the deal"
    },
    deal_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The deal that moved; it may have been deleted since",
      unique: "stage_changes_deal_id_move_no_key"
    },
    from_pipeline_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The pipeline the deal left"
    },
    from_stage_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The stage the deal left"
    },
    to_pipeline_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The pipeline the deal entered"
    },
    to_stage_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The stage the deal entered"
    },
    entered_at: {
      type: DataTypes.DATE,
      allowNull: false,
      comment: "When the deal had entered the stage it left: changed_at - entered_at is its time there"
    },
    changed_at: {
      type: DataTypes.DATE,
      allowNull: false,
      comment: "When the deal moved (effective time)"
    },
    recorded_at: {
      type: DataTypes.DATE,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('clock_timestamp'),
      comment: "When the move was recorded (clock time)"
    },
    move_no: {
      type: DataTypes.INTEGER,
      allowNull: false,
      comment: "Number of the move: 1, 2, ... for each deal, without gaps",
      unique: "stage_changes_deal_id_move_no_key"
    },
    reverts_no: {
      type: DataTypes.INTEGER,
      allowNull: true,
      comment: "The number of the move that this row took back; null for an ordinary move. Neither of the two counts in the analytics"
    },
    from_status: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "The status of the deal before the move"
    },
    to_status: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "The status of the deal after the move"
    },
    amount: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The amount of the deal as of the move"
    },
    currency: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The currency of the deal as of the move"
    },
    value_period: {
      type: DataTypes.TEXT,
      allowNull: false,
      defaultValue: "one_time",
      comment: "The value_period of the deal as of the move"
    },
    probability: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The probability of the deal as of the move, in the stage it entered"
    },
    from_probability: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The probability of the deal before the move"
    },
    changed_by: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "Who moved the deal, as the session declared it: see crm_current_actor()"
    },
    recorded_by: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "The database user of the session that moved the deal"
    },
    reverts_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The stage change that this one took back (undo_move); null for an ordinary move"
    },
    closing: {
      type: DataTypes.JSONB,
      allowNull: true,
      comment: "won_at, lost_at and lost_reason that the move cleared or replaced; null if there were none"
    },
    correction_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The row of deal_changes that has what this one was before its times were corrected last; null: they never were"
    }
  }, {
    sequelize,
    tableName: 'stage_changes',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false,
    indexes: [
      {
        name: "stage_changes_changed_at_idx",
        fields: [
          { name: "changed_at" },
          { name: "entered_at" },
        ]
      },
      {
        name: "stage_changes_deal_id_move_no_key",
        unique: true,
        fields: [
          { name: "deal_id" },
          { name: "move_no" },
        ]
      },
      {
        name: "stage_changes_pipeline_idx",
        fields: [
          { name: "from_pipeline_id" },
          { name: "to_pipeline_id" },
        ]
      },
      {
        name: "stage_changes_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
      {
        name: "stage_changes_reverts_no_idx",
        fields: [
          { name: "to_pipeline_id" },
        ]
      },
    ]
  });
  }
}
