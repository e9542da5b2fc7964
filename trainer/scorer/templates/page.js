const form = document.getElementById("form");
const found = document.getElementById("found");

function lines(title, texts) {
  return texts.length ? `\n${title}\n` + texts.map((text) => `  ${text}`).join("\n") : "";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  found.textContent = "...";
  const response = await fetch("/score", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  const said = await response.json();
  if (!response.ok) {
    found.textContent = said.error;
    return;
  }
  const sure = said.abstained ? "not sure: ask a person" : "sure enough";
  found.textContent =
    `${said.score} of ${said.maximum}, confidence ${said.confidence} (${sure})` +
    lines("Of the guide met:", said.met) +
    lines("Of the guide missed:", said.missed) +
    lines("Nearest answers that were taught:", said.nearest.map((near) => `${near.score}: ${near.answer}`));
});
