// A handler that does nothing: the base cost of a request.
async function handler(event) {
    return event.response || event.request;
}
