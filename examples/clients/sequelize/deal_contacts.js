import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class deal_contacts extends Model {
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
      comment: "The tenant of the deal; filled in, never changes"
    },
    deal_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The deal",
      references: {
        model: 'deals',
        key: 'id'
      },
      unique: "deal_contacts_deal_id_contact_id_key"
    },
    contact_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The person: a row of the linked contacts table, or any uuid while none is linked",
      references: {
        model: 'people',
        key: 'id'
      },
      unique: "deal_contacts_deal_id_contact_id_key"
    },
    role: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "The person's role in the deal, such as decision maker"
    },
    is_primary: {
      type: DataTypes.BOOLEAN,
      allowNull: false,
      defaultValue: false,
      comment: "Whether this is the deal's main contact; at most one per deal, changed by set_primary_contact"
    },
    metadata: {
      type: DataTypes.JSONB,
      allowNull: false,
      defaultValue: {},
      comment: "Further data of your own, a JSON object"
    }
  }, {
    sequelize,
    tableName: 'deal_contacts',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "deal_contacts_contact_id_idx",
        fields: [
          { name: "contact_id" },
        ]
      },
      {
        name: "deal_contacts_deal_id_contact_id_key",
        unique: true,
        fields: [
          { name: "deal_id" },
          { name: "contact_id" },
        ]
      },
      {
        name: "deal_contacts_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
      {
        name: "deal_contacts_primary_key",
        unique: true,
        fields: [
          { name: "deal_id" },
        ]
      },
    ]
  });
  }
}
