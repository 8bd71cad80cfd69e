import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class tags extends Model {
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
      comment: "The tenant the row belongs to; filled in, never changes"
    },
    name: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "Name, unique per tenant, compared by crm_name_key"
    },
    color: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Color of the tag on a screen, such as #1e90ff"
    }
  }, {
    sequelize,
    tableName: 'tags',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "tags_name_key",
        unique: true,
        fields: [
          { name: "tenant_id" },
        ]
      },
      {
        name: "tags_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
    ]
  });
  }
}
