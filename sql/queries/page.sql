-- A page of HTML.  It loads nothing: style, scripts and data are in it.
--
-- The policy allows these scripts and this style by their hashes, and requests to the
-- page's own origin.  The data is not a script; the scripts insert it into the page only
-- as text.  "<" could end the data, so it is escaped.

SELECT concat(E'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    '<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''sha256-',
    encode(sha256(convert_to(t.style, 'UTF8')), 'base64'), '''; script-src ''sha256-',
    encode(sha256(convert_to(t.charts, 'UTF8')), 'base64'), ''' ''sha256-',
    encode(sha256(convert_to(t.script, 'UTF8')), 'base64'),
    '''; connect-src ''self''; base-uri ''none''; form-action ''none''">', E'\n',
    '<meta name="viewport" content="width=device-width, initial-scale=1">', E'\n',
    '<meta name="color-scheme" content="light dark">', E'\n',
    '<title>', replace(replace(page.title, '&', '&amp;'), '<', '&lt;'), E'</title>\n',
    '<style>', t.style, E'</style>\n</head>\n<body>\n',
    '<noscript>This page draws itself with JavaScript, which is switched off.</noscript>', E'\n',
    '<script type="application/json" id="data">',
    replace(page.content::text, '<', chr(92) || 'u003c'), E'</script>\n',
    '<script>', t.charts, E'</script>\n<script>', t.script, E'</script>\n</body>\n</html>')
FROM (SELECT @extension@.crm_page_style() AS style, @extension@.crm_page_charts() AS charts,
        @extension@.crm_page_script() AS script) AS t;
