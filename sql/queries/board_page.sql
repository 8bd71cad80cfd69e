-- The boards of all pipelines as a page.

SELECT @extension@.crm_page(board_page.crm, 'Board', jsonb_build_object('at', now(), 'pipelines', coalesce((
        SELECT jsonb_agg(@extension@.crm_page_board(board_page.crm, p.id) ORDER BY p.is_default DESC, p.name, p.id)
        FROM @crm@.pipelines AS p
        WHERE p.archived_at IS NULL), '[]')));
