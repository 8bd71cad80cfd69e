import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class pipeline_stage_summary extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    pipeline_name: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    stage_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    stage_name: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    position: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    deal_status: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    currency: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    value_period: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    deals: {
      type: DataTypes.BIGINT,
      allowNull: true
    },
    deals_without_amount: {
      type: DataTypes.BIGINT,
      allowNull: true
    },
    deals_without_probability: {
      type: DataTypes.BIGINT,
      allowNull: true
    },
    value: {
      type: DataTypes.DECIMAL,
      allowNull: true
    },
    weighted_value: {
      type: DataTypes.DECIMAL,
      allowNull: true
    }
  }, {
    sequelize,
    tableName: 'pipeline_stage_summary',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false
  });
  }
}
