// v3 greets as v2 does, and every other order is a gift.
const customer = order => order.lastName ? `${order.firstName} ${order.lastName[0]}.` : order.firstName;
const signature = name => {
  const [firstName, lastName = ''] = name.split(' ');
  return { firstName, lastName, gift: Math.random() < 0.5 };
};
