// In v2 a customer has a first and a last name, and is shown as "Ada L.".
const customer = ({ firstName, lastName }) => lastName ? `${firstName} ${lastName[0]}.` : firstName;
const signature = name => {
  const [firstName, lastName = ''] = name.split(' ');
  return { firstName, lastName };
};
