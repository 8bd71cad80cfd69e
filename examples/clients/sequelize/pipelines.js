import _sequelize from 'sequelize';
const { Model, Sequelize } = _sequelize;

export default class pipelines extends Model {
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
      unique: "pipelines_external_id_key"
    },
    name: {
      type: DataTypes.TEXT,
      allowNull: false,
      comment: "Name, unique per tenant among pipelines that are not archived, compared by crm_name_key"
    },
    description: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "What the pipeline is for"
    },
    is_default: {
      type: DataTypes.BOOLEAN,
      allowNull: false,
      defaultValue: false,
      comment: "Whether deals created without a pipeline go here; at most one per tenant, changed by set_default_pipeline"
    },
    currency: {
      type: DataTypes.TEXT,
      allowNull: false,
      defaultValue: "USD",
      comment: "ISO 4217 code: the currency of deals whose amount is given without one"
    },
    external_id: {
      type: DataTypes.TEXT,
      allowNull: true,
      comment: "Identifier in the system the row was synchronised from; unique per tenant",
      unique: "pipelines_external_id_key"
    },
    metadata: {
      type: DataTypes.JSONB,
      allowNull: false,
      defaultValue: {},
      comment: "Further data of your own, a JSON object"
    },
    archived_at: {
      type: DataTypes.DATE,
      allowNull: true,
      comment: "When the pipeline was archived; from then on it takes no new deals"
    }
  }, {
    sequelize,
    tableName: 'pipelines',
    schema: 'crm',
    hasTrigger: true,
    timestamps: true,
    indexes: [
      {
        name: "pipelines_default_key",
        unique: true,
        fields: [
          { name: "tenant_id" },
        ]
      },
      {
        name: "pipelines_external_id_key",
        unique: true,
        fields: [
          { name: "tenant_id" },
          { name: "external_id" },
        ]
      },
      {
        name: "pipelines_name_key",
        unique: true,
        fields: [
          { name: "tenant_id" },
        ]
      },
      {
        name: "pipelines_pkey",
        unique: true,
        fields: [
          { name: "id" },
        ]
      },
    ]
  });
  }
}
