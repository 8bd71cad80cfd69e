-- What digest() of CrmTest.pm compares of the catalogs of some schemas.
SET search_path = pg_catalog;
CREATE TEMP VIEW n AS SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE @in@;
CREATE FUNCTION pg_temp.acl(aclitem[]) RETURNS text LANGUAGE sql
	AS 'SELECT string_agg(a::text, '' '' ORDER BY a::text COLLATE "C") FROM unnest($1) AS a';
SELECT line FROM (
	SELECT concat_ws(' | ', 'schema', nspname, nspowner::regrole, pg_temp.acl(nspacl)) AS line FROM pg_temp.n
	UNION ALL SELECT concat_ws(' | ', 'relation', c.oid::regclass, c.relkind, c.relowner::regrole, c.relrowsecurity, c.relforcerowsecurity,
			c.reloptions, pg_temp.acl(c.relacl), obj_description(c.oid, 'pg_class'))
		FROM pg_class AS c JOIN pg_temp.n ON n.oid = c.relnamespace WHERE c.relkind <> 'i'
	UNION ALL SELECT concat_ws(' | ', 'column', c.oid::regclass, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
			format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, pg_get_expr(d.adbin, d.adrelid), pg_temp.acl(a.attacl),
			a.attstorage, col_description(c.oid, a.attnum))
		FROM pg_class AS c JOIN pg_temp.n ON n.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid
			LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'i'
	UNION ALL SELECT concat_ws(' | ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(k.oid), convalidated,
			obj_description(k.oid, 'pg_constraint'))
		FROM pg_constraint AS k JOIN pg_temp.n ON n.oid = k.connamespace WHERE k.contype IN ('c', 'f', 'p', 'u', 'x')
	UNION ALL SELECT concat_ws(' | ', 'index', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident)
		FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_temp.n ON n.oid = c.relnamespace
	UNION ALL SELECT concat_ws(' | ', 'trigger', t.tgrelid::regclass, pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
		FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_temp.n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
	UNION ALL SELECT concat_ws(' | ', 'policy', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
			pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
		FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_temp.n ON n.oid = c.relnamespace
	UNION ALL SELECT concat_ws(' | ', 'function', f.oid::regprocedure, f.proowner::regrole, pg_temp.acl(f.proacl), obj_description(f.oid, 'pg_proc'),
			CASE WHEN f.prokind <> 'a' THEN pg_get_functiondef(f.oid) END)
		FROM pg_proc AS f JOIN pg_temp.n ON n.oid = f.pronamespace
	UNION ALL SELECT concat_ws(' | ', 'statistics', pg_get_statisticsobjdef(s.oid))
		FROM pg_statistic_ext AS s JOIN pg_temp.n ON n.oid = s.stxnamespace
	UNION ALL SELECT concat_ws(' | ', 'default privileges', defaclnamespace::regnamespace, defaclobjtype, pg_temp.acl(defaclacl))
		FROM pg_default_acl AS a JOIN pg_temp.n ON n.oid = a.defaclnamespace
	UNION ALL SELECT concat_ws(' | ', 'extension', extname, extnamespace::regnamespace, extversion) FROM pg_extension
	UNION ALL SELECT concat_ws(' | ', 'member', pg_describe_object(classid, objid, objsubid))
		FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm')
) AS l ORDER BY line COLLATE "C";
