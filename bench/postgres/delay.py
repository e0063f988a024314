"""A TCP proxy that delivers every byte a fixed time later, in both directions.

Promises: order and bytes as they came; latency, and no other limit of throughput.
Never: more in flight than the bound.
"""

import asyncio
import os
import threading

IN_FLIGHT_BYTES_MAX = 4 << 20


class Delay:
    """Stands between a client and `host:port` while it is entered."""

    def __init__(self, host, port, seconds, idle=False):
        self.host, self.port, self.seconds, self.idle = host, port, seconds, idle
        self.ready = threading.Event()

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.ready.wait(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.end)
        self.thread.join(10)

    def end(self):
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.stop)

    def run(self):
        if self.idle:  # this thread alone
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        asyncio.set_event_loop(self.loop)
        listening = asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.listening = self.loop.run_until_complete(listening)
        self.here = self.listening.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    async def serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))

    async def carry(self, reader, writer):
        queue = asyncio.Queue(IN_FLIGHT_BYTES_MAX >> 16)

        async def read():
            try:
                while data := await reader.read(1 << 16):
                    await queue.put((self.loop.time() + self.seconds, data))
            except ConnectionError:
                pass  # as good as an end
            await queue.put((0, b""))

        task = asyncio.ensure_future(read())
        try:
            while True:
                due, data = await queue.get()
                if not data:
                    break
                await asyncio.sleep(max(0, due - self.loop.time()))
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        task.cancel()
        writer.close()
