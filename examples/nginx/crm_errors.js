// What examples/nginx/crm.conf changes in the answers and requests of PostgREST.
//
// Errors, {"code", "message", "details", "hint"}, get a member "error" with the same
// members: clients read either form.  A body of any other form is passed on.

// Each request has its own variables.
let received = '';

// Where the paths of this API begin.
const base = '/api/v1';

// What is read only: the views and the history, and the pages for browsers.
const readOnly = [
    'deal_changes', 'deal_facts', 'deal_pushes', 'move_facts', 'pipeline_stage_summary',
    'rotting_deals', 'stage_changes', 'stage_forecast_categories', 'stage_visits'
];
const readMethods = 'GET, HEAD, OPTIONS';
const pages = ['board_page', 'pipeline_page'];

function withError(text) {
    let error;
    try {
        error = JSON.parse(text);
    } catch (e) {
        return text;
    }
    if (error === null || typeof error !== 'object' || error.code === undefined)
        return text;
    return JSON.stringify(Object.assign({}, error, { error: error }));
}

// A path of PostgREST's, such as /deals?id=eq.1, as a path of this API.
function ownPath(path) {
    const object = /^\/([a-z_]+)\?id=eq\.([0-9A-Fa-f-]{36})$/.exec(path);

    return object ? `${base}/${object[1]}/${object[2]}` : base + path;
}

// Paths may have hyphens where names of tables have underscores.
function table(r) {
    return (r.variables.crm_path || '').replace(/-/g, '_');
}

function isReadOnly(r) {
    return readOnly.includes(table(r));
}

function tableMethods(r) {
    return isReadOnly(r) ? readMethods : 'GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS';
}

function objectMethods(r) {
    return isReadOnly(r) ? readMethods : 'GET, HEAD, PATCH, PUT, DELETE, OPTIONS';
}

function noMethod(r) {
    return r.variables.crm_methods.split(', ').includes(r.method) ? '' : 'none';
}

function header(r) {
    ['Location', 'Content-Location'].forEach(name => {
        const path = r.headersOut[name];

        if (path && path.startsWith('/') && !path.startsWith(base + '/'))
            r.headersOut[name] = ownPath(path);
    });
    if (r.headersOut.Allow && isReadOnly(r))
        r.headersOut.Allow = readMethods;
    if (r.status >= 400)
        delete r.headersOut['Content-Length'];
}

function body(r, data, flags) {
    if (r.status < 400) {
        r.sendBuffer(data, flags);
        return;
    }
    received += data;
    if (flags.last)
        r.sendBuffer(withError(received), flags);
}

// The description of the API speaks of the paths and methods that are there.
function described(r, text) {
    let page;
    try {
        page = JSON.parse(text);
    } catch (e) {
        return text;
    }
    if (page === null || typeof page !== 'object' || typeof page.paths !== 'object')
        return text;
    page.basePath = base;
    page.host = r.headersIn.Host || page.host;
    page.schemes = [r.variables.scheme];
    readOnly.concat(pages.map(name => 'rpc/' + name)).forEach(name => {
        const path = page.paths['/' + name];

        if (path)
            ['post', 'patch', 'delete', 'put'].forEach(method => { delete path[method]; });
    });
    return JSON.stringify(page);
}

function pageHeader(r) {
    delete r.headersOut['Content-Length'];
}

function page(r, data, flags) {
    received += data;
    if (flags.last)
        r.sendBuffer(r.status < 400 ? described(r, received) : withError(received), flags);
}

// Written objects are returned, unless the client says what to return.
function prefer(r) {
    const sent = r.rawHeadersIn.filter(pair => pair[0].toLowerCase() === 'prefer')
        .map(pair => pair[1]).join(', ');

    if (/(^|[\s,])return\s*=/i.test(sent))
        return sent;
    return sent === '' ? 'return=representation' : sent + ', return=representation';
}

export default {
    table, tableMethods, objectMethods, noMethod, header, body, pageHeader, page, prefer
};
