import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class stage_visits extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    tenant_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    deal_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    visit_no: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    stage_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    status: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    entered_at: {
      type: DataTypes.DATE,
      allowNull: true
    },
    exited_at: {
      type: DataTypes.DATE,
      allowNull: true
    },
    duration: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    next_pipeline_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    next_stage_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    next_status: {
      type: DataTypes.TEXT,
      allowNull: true
    }
  }, {
    sequelize,
    tableName: 'stage_visits',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false
  });
  }
}
