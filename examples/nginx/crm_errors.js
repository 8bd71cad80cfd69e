// Errors of PostgREST, {"code", "message", "details", "hint"}, in the form
// {"error": {"code", "message", "details", "hint"}}.  A body of any other form is
// passed on unchanged.

// Each request has its own variables.
let received = '';

function wrapped(text) {
    let error;
    try {
        error = JSON.parse(text);
    } catch (e) {
        return text;
    }
    if (error === null || typeof error !== 'object' || error.code === undefined)
        return text;
    return JSON.stringify({ error: error });
}

function header(r) {
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
        r.sendBuffer(wrapped(received), flags);
}

export default { header, body };
