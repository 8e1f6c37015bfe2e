// A handler that does nothing: what a request costs whatever is done with it.
async function handler(event) {
    return event.response || event.request;
}
