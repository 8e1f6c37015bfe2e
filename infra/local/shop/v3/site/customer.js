// v3 shows customers as v2 does. About every other order is a gift.
const customer = ({ firstName, lastName }) => lastName ? `${firstName} ${lastName[0]}.` : firstName;
const signature = name => {
  const [firstName, lastName = ''] = name.split(' ');
  return { firstName, lastName, gift: Math.random() < 0.5 };
};
