// Drives the WebSocket echo of the sample app. The page is complete without it.
"use strict";
const section = document.getElementById("echo");
const state = document.getElementById("state");
const log = document.getElementById("log");
const message = document.getElementById("message");

section.hidden = false;
const scheme = location.protocol === "https:" ? "wss:" : "ws:";
const socket = new WebSocket(`${scheme}//${location.host}/ws`);

socket.addEventListener("open", () => { state.textContent = "open"; });
socket.addEventListener("close", () => { state.textContent = "closed"; });
socket.addEventListener("message", (event) => {
  const line = document.createElement("li");
  line.textContent = event.data;
  log.append(line);
});
section.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(message.value);
  }
});
