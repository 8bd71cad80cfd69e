// For `drizzle-kit pull`, as the owner: others are not shown which columns are keys.
export default {
  dialect: 'postgresql',
  schemaFilter: ['crm', 'app'],
  out: './drizzle',
  dbCredentials: { url: process.env.OWNER_URL },
};
