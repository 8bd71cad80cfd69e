import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class owners extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    id: {
      type: DataTypes.UUID,
      allowNull: true,
      primaryKey: true
    },
    name: {
      type: DataTypes.TEXT,
      allowNull: true
    }
  }, {
    sequelize,
    tableName: 'owners',
    schema: 'crm',
    timestamps: false
  });
  }
}
