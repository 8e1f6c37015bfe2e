// In v1 a customer has one name.
const customer = order => order.name;
const signature = name => ({ name });
