// v1 knows one name.
const customer = order => order.name;
const signature = name => ({ name });
