// SPDX-License-Identifier: Apache-2.0
// serve.mjs starts a Chromium that run.mjs connects to, so that not every case has to start one. It
// prints its address and ends with the process that started it.
import { serve } from "./browser.mjs";

const parent = process.ppid, server = await serve();
console.log(server.wsEndpoint());
setInterval(() => process.ppid === parent || server.close().then(() => process.exit()), 500);
