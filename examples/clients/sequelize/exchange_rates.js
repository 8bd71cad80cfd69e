import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class exchange_rates extends Model {
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
      unique: "exchange_rates_valid_from_key"
    },
    base: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "ISO 4217 code of the currency that is priced",
      unique: "exchange_rates_valid_from_key"
    },
    quote: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "ISO 4217 code of the currency of the price",
      unique: "exchange_rates_valid_from_key"
    },
    valid_from: {
      type: DataTypes.DATEONLY,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.today_utc'),
      comment: "The first day (UTC) of the rate, which holds until the pair's next rate",
      unique: "exchange_rates_valid_from_key"
    },
    rate: {
      type: DataTypes.DECIMAL,
      allowNull: false,
      comment: "The price of one unit of base, in quote"
    }
  }, {
    sequelize,
    tableName: 'exchange_rates',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "exchange_rates_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
      {
        name: "exchange_rates_valid_from_key",
        unique: true,
        fields: [
          { name: "tenant_id" },
          { name: "base" },
          { name: "quote" },
          { name: "valid_from" },
        ]
      },
    ]
  });
  }
}
