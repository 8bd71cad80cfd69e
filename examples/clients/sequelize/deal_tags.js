import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class deal_tags extends Model {
  static init(sequelize, DataTypes) {
  return super.init({
    deal_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The deal",
      primaryKey: true,
      references: {
        model: 'deals',
        key: 'id'
      }
    },
    tag_id: {
      type: DataTypes.UUID,
      allowNull: false,
      comment: "The tag",
      primaryKey: true,
      references: {
        model: 'tags',
        key: 'id'
      }
    },
    tenant_id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: "00000000-0000-0000-0000-000000000000",
      comment: "The tenant of the deal and the tag; filled in, never changes"
    },
    id: {
      type: DataTypes.UUID,
      allowNull: false,
      defaultValue: Sequelize.Sequelize.fn('crm_defaults.new_id'),
      comment: "Identifier, time-ordered; may be chosen by the client, never changes",
      unique: "deal_tags_id_key"
    }
  }, {
    sequelize,
    tableName: 'deal_tags',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "deal_tags_id_key",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
      {
        name: "deal_tags_pkey",
        unique: true,
        fields: [
          { name: "deal_id" },
          { name: "tag_id" },
        ]
      },
      {
        name: "deal_tags_tag_id_idx",
        fields: [
          { name: "tag_id" },
        ]
      },
    ]
  });
  }
}
