// Pictures that not every reader sees are packed, and drawn when they are wanted.
async function unpackPicture(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return `data:image/svg+xml,${encodeURIComponent(await new Response(stream).text())}`;
}

// On a narrow screen a figure is laid out anew for it.
const isNarrow = matchMedia("(max-width: 40rem)");
for (const figure of document.querySelectorAll("figure[data-narrow]")) {
  const picture = figure.querySelector("img");
  const wide = picture.src;
  let narrow;
  const fit = async () => {
    if (isNarrow.matches) narrow ??= await unpackPicture(figure.dataset.narrow);
    picture.src = isNarrow.matches ? narrow : wide;
    figure.classList.toggle("wide", !isNarrow.matches);
  };
  isNarrow.addEventListener("change", fit);
  if (isNarrow.matches) fit();
  // The page may have come without its folder, but it has this file in itself.
  const link = figure.querySelector("a[href$='.svg']");
  link.addEventListener("click", () => (link.href = wide));
}

for (const picture of document.querySelectorAll("img[data-packed]")) {
  const draw = async () => (picture.src = await unpackPicture(picture.dataset.packed));
  picture.closest("details").addEventListener("toggle", draw, { once: true });
}

// A link to what is folded unfolds it.
function unfold() {
  const target = document.getElementById(location.hash.slice(1));
  const folded = target?.matches("details") ? target : target?.querySelector(":scope > details");
  if (!folded) return;
  folded.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", unfold);
unfold();
