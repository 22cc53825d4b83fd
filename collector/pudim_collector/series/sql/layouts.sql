-- $1 layout ids
SELECT layout_id, series::text FROM layouts WHERE layout_id = ANY ($1)
