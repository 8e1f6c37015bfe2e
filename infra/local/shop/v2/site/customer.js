// v2 knows two, and greets by the first: "Ada L.".
const customer = order => order.lastName ? `${order.firstName} ${order.lastName[0]}.` : order.firstName;
const signature = name => {
  const [firstName, lastName = ''] = name.split(' ');
  return { firstName, lastName };
};
