for (const box of document.querySelectorAll(".hocket-player")) {
  if (box.isReady) continue; // every player has this script, and the first to run finds them all
  box.isReady = true;
  const audio = box.querySelector("audio"), lanes = box.querySelector("svg");
  const { left, scale, height } = box.dataset;
  const cursor = lanes.appendChild(document.createElementNS(lanes.namespaceURI, "path"));
  cursor.setAttribute("d", `M0 0v${height}`);
  cursor.setAttribute("stroke", "currentColor");
  cursor.setAttribute("pointer-events", "none");
  let frame = 0;
  const move = () => {
    cursor.setAttribute("transform", `translate(${Number(left) + audio.currentTime * scale})`);
    cancelAnimationFrame(frame);
    if (!audio.paused) frame = requestAnimationFrame(move);
  };
  for (const event of ["play", "seeking", "timeupdate"]) audio.addEventListener(event, move);
  for (const turn of lanes.querySelectorAll("[data-start]")) {
    turn.style.cursor = "pointer";
    turn.addEventListener("click", () => {
      audio.currentTime = Number(turn.dataset.start);
      audio.play().catch(() => {});
    });
  }
  move();
}
