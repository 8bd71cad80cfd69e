import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class stage_totals extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    tenant_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The tenant of the deals"
    },
    pipeline_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The pipeline of the stage"
    },
    stage_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The stage that the deals stand in"
    },
    currency: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The currency of the deals; null: none"
    },
    value_period: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "The value_period of the deals"
    },
    deals: {
      type: DataTypes.BIGINT,
      allowNull: false,
      comment: "By how many the number of deals changes"
    },
    deals_without_amount: {
      type: DataTypes.BIGINT,
      allowNull: false,
      comment: "By how many the number of deals without an amount changes"
    },
    deals_without_probability: {
      type: DataTypes.BIGINT,
      allowNull: false,
      comment: "By how many the number of deals without a probability changes"
    },
    value: {
      type: DataTypes.DECIMAL,
      allowNull: false,
      comment: "By how much the sum of amounts changes"
    },
    weighted_value: {
      type: DataTypes.DECIMAL,
      allowNull: false,
      comment: "By how much the sum of amount times probability changes"
    }
  }, {
    sequelize,
    tableName: 'stage_totals',
    schema: 'crm',
    hasTrigger: true,
    timestamps: false,
    indexes: [
      {
        name: "stage_totals_pipeline_id_idx",
        fields: [
          { name: "pipeline_id" },
        ]
      },
    ]
  });
  }
}
