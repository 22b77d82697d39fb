// What a reader sees of the text of a page: where it is, what hides it, and how it stands out. Used by the tests.
(() => {
  const colors = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parse = (text) => {
    colors.clearRect(0, 0, 1, 1);
    colors.fillStyle = text;
    colors.fillRect(0, 0, 1, 1);
    return [...colors.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([red, green, blue]) => {
    const linear = [red, green, blue].map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  // The first background that hides what lies under it.
  const findGround = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
      if (color[3]) throw new Error("a background that shines through");
    }
    return parse("canvas");
  };

  const listTexts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, element = node.parentElement;
      if (!node.data.trim() || !element.checkVisibility() || element.closest("script, style, option, noscript, .skip, .unseen")) continue;
      texts.push({ node, element, told: node.data.trim().slice(0, 60) });
    }
    return texts;
  };

  // The rectangles of a text that can be seen without scrolling within a box, and those that cannot be seen at all.
  const listBoxes = ({ node, element, told }) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()].flatMap(({ left, right, top, bottom }) => {
      let box = { left, right, top, bottom, told, cut: left < -1 || right > innerWidth + 1 };
      for (let at = element; at && at !== document.body; at = at.parentElement) {
        const { overflowX, overflowY } = getComputedStyle(at);
        if (overflowX === "visible" && overflowY === "visible") continue;
        const room = at.getBoundingClientRect();
        const inside = { left: Math.max(box.left, room.left), right: Math.min(box.right, room.right), top: Math.max(box.top, room.top), bottom: Math.min(box.bottom, room.bottom) };
        const scrolls = (way) => way === "auto" || way === "scroll";
        const lost = (!scrolls(overflowX) && inside.right - inside.left < box.right - box.left - 1) || (!scrolls(overflowY) && inside.bottom - inside.top < box.bottom - box.top - 1);
        box = { ...box, ...inside, cut: (box.cut && !scrolls(overflowX)) || lost };
        if (scrolls(overflowX) && inside.right - inside.left < right - left - 1) box.cut = false;
      }
      return box.right - box.left > 0.5 && box.bottom - box.top > 0.5 ? [box] : box.cut ? [box] : [];
    });
  };

  window.readPage = {
    // Texts that lie on each other, that cannot be seen whole, or that are broken into letters.
    findClashes() {
      const texts = listTexts();
      const boxes = texts.flatMap(listBoxes);
      // Letters take the middle of a line's height; lines may come close to each other.
      for (const box of boxes) [box.top, box.bottom] = [box.top + 0.2 * (box.bottom - box.top), box.bottom - 0.2 * (box.bottom - box.top)];
      const found = boxes.filter(({ cut }) => cut).map(({ told }) => `cut: ${told}`);
      for (const { node, told } of texts) {
        const range = document.createRange();
        range.selectNodeContents(node);
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size;
        if (lines > 2 && node.data.trim().length < 5 * lines) found.push(`broken: ${told}`);
      }
      boxes.sort((one, other) => one.top - other.top);
      boxes.forEach((one, place) => {
        for (let next = place + 1; next < boxes.length && boxes[next].top < one.bottom; next++) {
          const other = boxes[next];
          const width = Math.min(one.right, other.right) - Math.max(one.left, other.left);
          const height = Math.min(one.bottom, other.bottom) - other.top;
          if (width > 1 && height > 1) found.push(`overlap: ${one.told} | ${other.told}`);
        }
      });
      return found;
    },
    // Texts whose contrast is below AA, with it; and edges of controls below 3.
    findFaint() {
      const found = [];
      const judge = (told, color, ground, least) => {
        const seen = contrast(parse(color), ground);
        if (!(seen >= least)) found.push(`${told}: ${seen.toFixed(2)}`);
      };
      for (const { element, told } of listTexts()) {
        const style = getComputedStyle(element);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        const color = element instanceof SVGElement ? style.fill : style.color;
        judge(told, color, findGround(element), large ? 3 : 4.5);
        if (style.opacity !== "1") found.push(`${told}: opacity`);
      }
      for (const control of document.querySelectorAll("select, input[type=search], button:not(th button, :disabled)")) {
        if (!control.checkVisibility()) continue;
        judge(`edge of ${control.ariaLabel ?? control.textContent}`, getComputedStyle(control).borderTopColor, findGround(control.parentElement), 3);
        judge("control", getComputedStyle(control).color, findGround(control), 4.5);
        if (control.placeholder) judge("placeholder", getComputedStyle(control, "::placeholder").color, findGround(control), 4.5);
      }
      return found;
    },
    countTexts: () => listTexts().flatMap(listBoxes).length,
    // The smallest letters of each picture on the page, in pixels of the screen.
    listLetters: () => [...document.querySelectorAll("figure img")].filter((image) => image.checkVisibility()).map((image) => {
      const [head, body] = image.src.split(/,(.*)/s);
      const svg = head.includes("base64") ? atob(body) : decodeURIComponent(body);
      const sizes = [...svg.matchAll(/font(?:-size)?:[^;"}]*?([\d.]+)px/g)].map(([, size]) => Number(size));
      const [, , width] = svg.match(/viewBox="([^"]+)"/)[1].split(" ").map(Number);
      return { alt: image.alt.slice(0, 40), pixels: (Math.min(...sizes) * image.clientWidth) / width };
    }),
  };
})();
