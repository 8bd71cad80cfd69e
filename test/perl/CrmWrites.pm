
# Code shared by the tests of concurrent writes: every kind of write to a CRM, and a CRM
# for them.

package CrmWrites;

use strict;
use warnings;

use CrmTest;
use Exporter 'import';

our @EXPORT = qw(%writes make_pairs_crm);

# Transactions that write two rows write them in the same order, as the client has to
# ensure this.  The tests define any_deal() and any_stage().
our %writes = (
	'move' =>
	  'UPDATE deals SET stage_id = (SELECT any_stage()) WHERE id = (SELECT any_deal())',
	'moves' => q{UPDATE deals SET stage_id = (SELECT any_stage())
			WHERE id = md5('d1')::uuid; UPDATE deals SET stage_id = (SELECT any_stage())
			WHERE id = md5('d2')::uuid},
	'move_deal' => 'SELECT move_deal(any_deal(), any_stage())',
	'all' =>
	  'UPDATE deals SET stage_id = (SELECT any_stage()) WHERE id IN (SELECT id FROM deals ORDER BY id FOR NO KEY UPDATE)',
	'undo' => 'SELECT undo_move(any_deal())',
	'correct' =>
	  q{SELECT correct_move(any_deal(), now() - random() * interval '1 hour')},
	'replace' => q{SELECT replace_history(d.id, jsonb_build_array(
			jsonb_build_object('stage_id', d.stage_id, 'at', d.created_at)), 'as it was')
			FROM deals AS d WHERE d.id = (SELECT any_deal())},
	'insert' =>
	  q{INSERT INTO deals (title, stage_id) VALUES ('New', any_stage())},
	'upsert' =>
	  q{INSERT INTO deals (title, external_id, stage_id) VALUES ('Deal', '1', any_stage())
			ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = excluded.stage_id},
	'edit' =>
	  'UPDATE deals SET amount = random() * 100 WHERE id = (SELECT any_deal())',
	'archive' =>
	  'UPDATE deals SET archived_at = CASE WHEN archived_at IS NULL THEN now() END WHERE id = (SELECT any_deal())',
	'delete' =>
	  q{DELETE FROM deals WHERE id IN (SELECT id FROM deals WHERE title = 'New'
			ORDER BY id FOR UPDATE)},
	'purge' =>
	  q{SELECT crm_purge_deal('crm', id) FROM (SELECT id FROM deals WHERE title = 'New'
			ORDER BY id LIMIT 1) AS d},
	'forget' => q{SELECT crm_forget_actor('crm', 'nobody')},
	'reorder' =>
	  q{SELECT reorder_stages(md5('p')::uuid, ARRAY(SELECT id FROM stages
			WHERE pipeline_id = md5('p')::uuid ORDER BY random()))},
	'rename' =>
	  q{UPDATE stages SET name = 'Stage ' || random() WHERE id = (SELECT any_stage())},
	'add' =>
	  q{INSERT INTO stages (pipeline_id, name) VALUES (md5('p')::uuid, 'New ' || random())},
	'remove' =>
	  q{SELECT delete_stage(id, any_stage()) FROM stages WHERE name LIKE 'New%' LIMIT 1},
	'empty' => q{INSERT INTO stages (id, pipeline_id, name) VALUES
			(md5('s4')::uuid, md5('p')::uuid, 'Back')
			ON CONFLICT DO NOTHING; SELECT delete_stage(md5('s4')::uuid, md5('s1')::uuid)},
	'status' => q{UPDATE stages SET deal_status = CASE deal_status
			WHEN 'open' THEN 'won' ELSE 'open' END WHERE id = md5('s5')::uuid},
	'probability' => 'SELECT apply_stage_probability(any_stage())',
	'primary' =>
	  q{SELECT set_primary_contact(any_deal(), md5('c' || 1 + floor(random() * 3)::int)::uuid)},
	'merge' => 'SELECT merge_deals(any_deal(), any_deal())',
	'unmerge' => 'SELECT unmerge_deals(any_deal())',
	'contact' =>
	  q{INSERT INTO deal_contacts (deal_id, contact_id) VALUES (any_deal(), md5('c4')::uuid)
			ON CONFLICT (deal_id, contact_id) DO UPDATE
			SET is_primary = NOT deal_contacts.is_primary},
	'tag' =>
	  q{INSERT INTO deal_tags (deal_id, tag_id) SELECT any_deal(), id FROM tags
			ON CONFLICT DO NOTHING},
	'default' => q{SELECT set_default_pipeline(CASE
			WHEN random() < 0.5 THEN md5('p')::uuid ELSE md5('q')::uuid END)},
	'pipeline' =>
	  q{SELECT create_pipeline('Pipeline ' || random(), stages => '[{"name": "One"}]')},
	'compact' => q{SELECT crm_compact_totals('crm')},
	'link' =>
	  q{SELECT crm_link('crm', 'deal_contacts.contact_id', 'public.people'); SELECT crm_unlink('crm', 'deal_contacts.contact_id')},
	'tie' => q{SELECT crm_link('crm', 'deals.owner_id', 'public.people')},
	'untie' => q{SELECT crm_unlink('crm', 'deals.owner_id')},);

# A database with a CRM, in which any_deal() and any_stage() return what those
# expressions say.
sub make_pairs_crm
{
	my ($node, $db, $any_deal, $any_stage) = @_;

	create_database($node, $db);
	install($node, $db, 'crm', 'single');
	$node->safe_psql($db, <<~SQL);
		ALTER DATABASE $db SET search_path = crm, extensions, public;
		CREATE TABLE public.people (id uuid PRIMARY KEY);
		INSERT INTO public.people SELECT md5('c' || i)::uuid FROM generate_series(1, 4) AS i;
		SET search_path = crm, extensions;
		INSERT INTO pipelines (id, name, is_default) VALUES (md5('p')::uuid, 'Sales', true),
			(md5('q')::uuid, 'Other', false);
		INSERT INTO stages (id, pipeline_id, name, probability)
			SELECT md5('s' || i)::uuid, md5('p')::uuid, 'Stage ' || i, i / 10.0
			FROM generate_series(1, 5) AS i;
		INSERT INTO deals (id, title, amount, external_id, stage_id, created_at)
			SELECT md5('d' || i)::uuid, 'Deal', i, i, md5('s' || 1 + i % 4)::uuid, now() - interval '1 day'
			FROM generate_series(1, 40) AS i;
		INSERT INTO deal_contacts (deal_id, contact_id, is_primary)
			SELECT md5('d' || d)::uuid, md5('c' || c)::uuid, c = 1
			FROM generate_series(1, 3) AS d, generate_series(1, 3) AS c;
		INSERT INTO tags (name) VALUES ('hot');
		CREATE FUNCTION public.any_deal() RETURNS uuid LANGUAGE sql VOLATILE
			AS \$\$ SELECT $any_deal \$\$;
		CREATE FUNCTION public.any_stage() RETURNS uuid LANGUAGE sql VOLATILE
			AS \$\$ SELECT $any_stage \$\$;
		SQL
	return;
}

1;
