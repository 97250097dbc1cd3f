// What a page owes its reader on any screen: nothing cut off, no small letters, no faint ones (WCAG 2.2, AA).
const looks = () => {
  const out = { wide: document.documentElement.scrollWidth - document.documentElement.clientWidth, small: [], faint: [], outside: [] };
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return Array.from(canvas.getImageData(0, 0, 1, 1).data);
  };
  const over = (top, below) => [0, 1, 2].map((i) => (top[i] * top[3] + below[i] * (255 - top[3])) / 255).concat(255);
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 255]);
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode()); ) {
    const element = node.parentElement;
    const range = document.createRange();
    range.selectNode(node);
    const box = range.getBoundingClientRect();
    if (!node.textContent.trim() || element.closest("script") || !box.width || !box.height) continue;
    const style = getComputedStyle(element);
    const shown = node.textContent.trim().slice(0, 30);
    const size = parseFloat(style.fontSize);
    if (size < 11) out.small.push(`${size} px: ${shown}`);
    const paper = background(element);
    const [high, low] = [luminance(over(channels(style.color), paper)), luminance(paper)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < (size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5)) out.faint.push(`${contrast.toFixed(2)}: ${shown}`);
    // What scrolls by itself may be wider.
    if (!element.closest(".scroll, nav, pre") && (box.left < -1 || box.right > document.documentElement.clientWidth + 1)) out.outside.push(shown);
  }
  return out;
};
