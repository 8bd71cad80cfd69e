"""The part of libpq that the benchmark needs, through ctypes."""
import ctypes
import ctypes.util
import os
import time

_pq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
for _name in ("PQconnectdb", "PQexec", "PQexecPrepared", "PQprepare"):
    getattr(_pq, _name).restype = ctypes.c_void_p
for _name in ("PQerrorMessage", "PQresultErrorMessage", "PQgetvalue"):
    getattr(_pq, _name).restype = ctypes.c_char_p
_pq.PQexec.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
_pq.PQexecPrepared.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int] + [ctypes.c_void_p] * 3 + [ctypes.c_int]
_pq.PQprepare.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
for _name in ("PQresultStatus", "PQntuples", "PQclear", "PQresultErrorMessage",
              "PQbackendPID", "PQerrorMessage", "PQstatus", "PQfinish"):
    getattr(_pq, _name).argtypes = [ctypes.c_void_p]
_pq.PQgetvalue.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]

COMMAND_OK, TUPLES_OK = 1, 2


class Connection:
    """A session and the CPU time of its backend."""

    def __init__(self):
        self.conn = _pq.PQconnectdb(b"")
        if _pq.PQstatus(self.conn) != 0:
            raise RuntimeError(_pq.PQerrorMessage(self.conn).decode())
        self.pid = _pq.PQbackendPID(self.conn)

    def _take(self, result, what):
        status = _pq.PQresultStatus(result)
        if status not in (COMMAND_OK, TUPLES_OK):
            message = _pq.PQresultErrorMessage(result).decode()
            _pq.PQclear(result)
            raise RuntimeError(f"{message}in: {what}")
        value = None
        if status == TUPLES_OK and _pq.PQntuples(result) > 0:
            value = _pq.PQgetvalue(result, 0, 0).decode()
        _pq.PQclear(result)
        return value

    def sql(self, text):
        """Runs statements; the first column of the last one's first row."""
        return self._take(_pq.PQexec(self.conn, text.encode()), text)

    def prepare(self, name, text):
        self._take(_pq.PQprepare(self.conn, name.encode(), text.encode(), 0, None), text)

    def execute(self, name, *args):
        values = (ctypes.c_char_p * len(args))(*(a.encode() for a in args))
        return self._take(_pq.PQexecPrepared(self.conn, name.encode(), len(args), values, None, None, 0), name)

    def close(self):
        _pq.PQfinish(self.conn)

    def cpu(self):
        """Seconds of CPU, in user and kernel mode, that the backend has used."""
        try:
            with open(f"/proc/{self.pid}/schedstat", encoding="ascii") as file:
                return int(file.read().split()[0]) / 1e9
        except OSError:
            with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def timed(self, work):
        """(wall, CPU) seconds of work(), which uses this session."""
        cpu, wall = self.cpu(), time.perf_counter()
        work()
        return time.perf_counter() - wall, self.cpu() - cpu
