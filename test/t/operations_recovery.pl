
# A base backup and the archived WAL give each moment back: what was there at it,
# and nothing that came later; and what was recovered goes on.

use strict;
use warnings;

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('primary', has_archiving => 1, allows_streaming => 1);

make_origin($node, 'origin');
$node->backup('backup');
ok(-f $node->backup_dir . '/backup/backup_manifest', 'a base backup');
$node->command_ok([ 'pg_verifybackup', '-n', $node->backup_dir . '/backup' ],
	'which is whole');

# Moments, each with what is there then; between them, every kind of write.
my %moments;

sub remember
{
	my ($name) = @_;

	$moments{$name} = {
		digest => digest($node, 'origin'),
		time => $node->safe_psql('postgres', 'SELECT clock_timestamp()'),
		xid => $node->safe_psql('postgres', 'SELECT pg_current_xact_id()'),
		lsn => $node->safe_psql(
			'postgres', "SELECT pg_create_restore_point('$name')")
	};
	return;
}

remember('before');
all_work($node, 'origin', 'primary');
remember('after moves');
$node->safe_psql('origin', <<~'SQL');
	SET search_path = crm, extensions;
	UPDATE deals SET stage_id = s.id FROM stages AS s
		WHERE s.pipeline_id = deals.pipeline_id AND s.name = 'Won' AND deals.external_id LIKE 'plain %';
	SELECT crm_compact_totals('crm');
	SELECT crm_rebuild_totals('team');
	ALTER TABLE deals ADD added int DEFAULT 1;
	SQL
remember('after maintenance');

# What nobody wants.
$node->safe_psql('origin',
	'DELETE FROM crm.deals; TRUNCATE team.deals CASCADE; DROP SCHEMA "Büro ""Nord"" 1" CASCADE'
);
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
$node->poll_query_until(
	'postgres',
	"SELECT last_archived_wal IS NOT NULL AND last_archived_wal >= '"
	  . $node->safe_psql('postgres',
		'SELECT pg_walfile_name(pg_current_wal_lsn() - 1)')
	  . "' FROM pg_stat_archiver") or die 'the WAL is not archived';

my %targets = (
	'before' => 'recovery_target_name',
	'after moves' => 'recovery_target_time',
	'after maintenance' => 'recovery_target_lsn');
foreach my $name (sort keys %targets)
{
	my $kind = $targets{$name} =~ s/.*_//r;
	my $value = $kind eq 'name' ? $name : $moments{$name}{$kind};
	my $recovered = PostgreSQL::Test::Cluster->new("recovered_$kind");

	$recovered->init_from_backup(
		$node, 'backup',
		has_restoring => 1,
		standby => 0);
	$recovered->append_conf('postgresql.conf', <<~END);
		$targets{$name} = '$value'
		recovery_target_action = 'promote'
		archive_mode = off
		END
	$recovered->start;
	$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()')
	  or die 'recovery does not end';
	same_text(
		digest($recovered, 'origin'),
		$moments{$name}{digest},
		"recovered to a $kind: what was there then");
	all_work($recovered, 'origin', "recovered to a $kind");
	$recovered->stop;
}

done_testing();
