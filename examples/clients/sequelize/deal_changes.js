import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class deal_changes extends Model {
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
      comment: "The deal that changed; it may have been deleted since"
    },
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The pipeline of the stage"
    },
    stage_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The stage the deal stood in before the change; if created, the stage that it was put into"
    },
    stage_entered_at: {
      type: DataTypes.DATE,
      allowNull: false,
      comment: "When the deal had entered that stage"
    },
    changed_at: {
      type: DataTypes.DATE,
      allowNull: false,
      comment: "When the change took effect: the time of the move, if the deal also moved"
    },
    recorded_at: {
      type: DataTypes.DATE,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('clock_timestamp'),
      comment: "When the change was recorded (clock time)"
    },
    move_no: {
      type: DataTypes.INTEGER,
      allowNull: false,
      comment: "Number of moves the deal had made before the change"
    },
    version: {
      type: DataTypes.INTEGER,
      allowNull: false,
      comment: "The version of the deal after the change; if deleted, the next number"
    },
    change: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "created; updated; edited: none of the columns below changed, but others; archived or unarchived, perhaps with other changes; deleted; restored: inserted again under its old id; or corrected: times of its past were, or its whole history, and what they were is in superseded; erased: rows of the history were, so it is incomplete up to changed_at"
    },
    status: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "The status of the deal in that stage"
    },
    old_amount: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The amount before the change; null if created"
    },
    new_amount: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The amount after the change; null if deleted"
    },
    old_currency: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The currency before the change; null if created"
    },
    new_currency: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The currency after the change; null if deleted"
    },
    old_probability: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The probability before the change; null if created. A change of probability by a move is recorded in stage_changes only"
    },
    new_probability: {
      type: DataTypes.DECIMAL,
      allowNull: true,
      comment: "The probability after the change; null if deleted"
    },
    old_value_period: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The value_period before the change; null if created"
    },
    new_value_period: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The value_period after the change; null if deleted"
    },
    old_expected_close_date: {
      type: DataTypes.DATEONLY,
      allowNull: true,
      comment: "The expected_close_date before the change; null if created"
    },
    new_expected_close_date: {
      type: DataTypes.DATEONLY,
      allowNull: true,
      comment: "The expected_close_date after the change; null if deleted"
    },
    old_owner_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The owner before the change; null if created"
    },
    new_owner_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The owner after the change; null if deleted"
    },
    old_archived_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the deal had been archived before the change; null: it was not"
    },
    new_archived_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the deal was archived after the change; null: it is not"
    },
    changed_by: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "Who changed the deal, as the session declared it: see crm_current_actor()"
    },
    recorded_by: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "The database user of the session that changed the deal"
    },
    with_move: {
      type: DataTypes.INTEGER,
      allowNull: true,
      comment: "The number of the move that the same statement made; null: none. If the time of that move is corrected, changed_at follows"
    },
    other: {
      type: DataTypes.JSONB,
      allowNull: true,
      comment: "What else changed: for title, organization_id, forecast_category, lost_reason, external_id, created_at and each column of crm_track_column() that did, an object with old and new"
    },
    reason: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Why the history was corrected: an argument of correct_move and replace_history, or the setting crm.reason"
    },
    superseded: {
      type: DataTypes.JSONB,
      allowNull: true,
      comment: "If corrected: what was before, as arrays of whole rows of stage_changes and deal_changes, and the times of the deal"
    },
    correction_id: {
      type: DataTypes.UUID,
      allowNull: true,
      comment: "The row that has what this one was before its times were corrected last; null: they never were"
    }
  }, {
    sequelize,
    tableName: 'deal_changes',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false,
    indexes: [
      {
        name: "deal_changes_changed_at_idx",
        fields: [
          { name: "changed_at" },
        ]
      },
      {
        name: "deal_changes_deal_id_changed_at_idx",
        fields: [
          { name: "deal_id" },
          { name: "changed_at" },
        ]
      },
      {
        name: "deal_changes_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
    ]
  });
  }
}
