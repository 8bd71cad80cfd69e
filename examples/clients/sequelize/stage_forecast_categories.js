import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class stage_forecast_categories extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    stage_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    tenant_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    forecast_category: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    is_default: {
      type: DataTypes.BOOLEAN,
      allowNull: true
    }
  }, {
    sequelize,
    tableName: 'stage_forecast_categories',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false
  });
  }
}
