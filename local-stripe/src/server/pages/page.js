// Formats the input of the card form. The pages work without it.
'use strict';

const digits = (text) => text.replace(/\D/g, '');

// American Express numbers are shown in groups of 4, 6 and 5 digits, all other numbers in groups of 4.
function grouped(number) {
  const amex = /^3[47]/.test(number);
  const cuts = amex ? [4, 10, 15] : [4, 8, 12, 16, 19];
  const parts = cuts.map((end, i) => number.slice(i ? cuts[i - 1] : 0, end)).filter(Boolean);
  return parts.join(' ');
}

function dated(text, erased) {
  let number = digits(text).slice(0, 4);
  if (/^[2-9]/.test(number)) number = `0${number}`.slice(0, 4);
  if (number.length < 2 || (number.length === 2 && erased)) return number;
  return `${number.slice(0, 2)} / ${number.slice(2)}`;
}

// Formats a field on input, and keeps the caret behind the digit where it was.
function format(field, shape) {
  field.addEventListener('input', (event) => {
    const erased = (event.inputType || '').startsWith('delete');
    const atEnd = field.selectionStart === field.value.length;
    const before = digits(field.value.slice(0, field.selectionStart)).length;
    field.value = shape(field.value, erased);
    let caret = 0;
    for (let seen = 0; caret < field.value.length && seen < before; caret += 1) {
      if (/\d/.test(field.value[caret])) seen += 1;
    }
    if (atEnd) caret = field.value.length;
    field.setSelectionRange(caret, caret);
  });
  if (field.value) field.value = shape(field.value, false);
}

const shapes = {
  cardNumber: (text) => grouped(digits(text)),
  // An expiry with more than four digits, such as `12/2034`, stays as it is.
  cardExpiry: (text, erased) => (digits(text).length > 4 ? text : dated(text, erased)),
  cardCvc: (text) => digits(text).slice(0, 4),
};
for (const [id, shape] of Object.entries(shapes)) {
  const field = document.getElementById(id);
  if (field) format(field, shape);
}

// Prevents a form from being submitted twice, until the page is shown again.
for (const form of document.querySelectorAll('form')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = 'yes';
    form.setAttribute('aria-busy', 'true');
  });
}
addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form')) {
    delete form.dataset.sent;
    form.removeAttribute('aria-busy');
  }
});
