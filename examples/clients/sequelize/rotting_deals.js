import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class rotting_deals extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    deal_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    title: {
      type: DataTypes.TEXT,
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
    stage_name: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    owner_id: {
      type: DataTypes.UUID,
      allowNull: true
    },
    owner_name: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    amount: {
      type: DataTypes.DECIMAL,
      allowNull: true
    },
    currency: {
      type: DataTypes.TEXT,
      allowNull: true
    },
    expected_close_date: {
      type: DataTypes.DATEONLY,
      allowNull: true
    },
    stage_entered_at: {
      type: DataTypes.DATE,
      allowNull: true
    },
    rotting_days: {
      type: DataTypes.INTEGER,
      allowNull: true
    },
    days_in_stage: {
      type: DataTypes.DECIMAL,
      allowNull: true
    },
    days_over: {
      type: DataTypes.DECIMAL,
      allowNull: true
    }
  }, {
    sequelize,
    tableName: 'rotting_deals',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false
  });
  }
}
