// Elements. Text is always set as text: a label is never read as markup.
function put(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const make = (tag, attributes = {}, ...children) => put(document.createElement(tag), attributes, children);
const SVG = "http://www.w3.org/2000/svg";
const trace = (tag, attributes = {}, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

// `t^−3.00` with its exponent raised, as the page writes it.
function raise(text, setPower = (power) => make("sup", {}, power)) {
  const pieces = text.split(/\^(−?\d+(?:\.\d+)?)/);
  return pieces.map((piece, place) => (place % 2 ? setPower(piece) : piece));
}

function offerChoice(label, options) {
  const select = make("select", {}, ...options.map(([value, told]) => make("option", { value }, told)));
  return [make("label", {}, make("span", {}, label), select), select];
}

function save(name, type, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
