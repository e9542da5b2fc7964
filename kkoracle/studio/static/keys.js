// One key for each button of a review, as in the terminal; Greek letters on the same keys count.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const same = { α: "a", ρ: "r", σ: "s", θ: "u" };
  const key = event.key.toLowerCase();
  const button = document.getElementById("key-" + (same[key] ?? key));
  if (button && button.offsetParent !== null) button.click();
});
