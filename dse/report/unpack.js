// Unpacks the data and the scripts of a page that `dse report --small` wrote.
"use strict";

(async () => {
  const note = document.getElementById("unpacking");
  if (typeof DecompressionStream === "undefined") {
    note.textContent = "This browser cannot unpack a small report, so only the text is here; dse report without --small writes one that it can show whole.";
    return;
  }
  try {
    const bytes = Uint8Array.from(atob(document.getElementById("packed").textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const [data, scripts] = JSON.parse(await new Response(stream).text());
    const add = (text, attributes) => document.body.append(Object.assign(document.createElement("script"), attributes, { textContent: text }));
    add(data, { type: "application/json", id: "data" });
    scripts.forEach((text) => add(text, {}));
    note.remove();
  } catch (error) {
    note.textContent = `The interactive part of this report cannot be unpacked (${error.message}): the file may be cut off. Copy it again.`;
  }
})();
