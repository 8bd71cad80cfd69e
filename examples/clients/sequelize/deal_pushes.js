import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class deal_pushes extends Model {
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
    version: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    old_expected_close_date: {
      type: DataTypes.DATEONLY,
      allowNull: true
    },
    new_expected_close_date: {
      type: DataTypes.DATEONLY,
      allowNull: true
    },
    months: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    days: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    pushed_at: {
      type: DataTypes.DATE,
      allowNull: true
    },
    pushed_by: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    owner_id: {
      type: DataTypes.UUID,
      allowNull: true
    }
  }, {
    sequelize,
    tableName: 'deal_pushes',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false
  });
  }
}
