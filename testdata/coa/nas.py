"""A NAS for tests, made of pyrad: it is no code of ours.

It listens on a free port of 127.0.0.1, prints the port, and then one JSON object
for each request. What it answers is the first word of the Acct-Session-Id:

    ack            an ACK
    nak CAUSE      a NAK with that Error-Cause; 0: without one
    silent         nothing
    lossy          nothing to the first copy, an ACK to the second
    late MS        an ACK so many milliseconds later
    forged         an ACK signed with another secret
"""

import json
import os
import sys
import threading

from pyrad import dictionary, packet, server


class NAS(server.Server):
    seen = {}

    def answer(self, pkt):
        session = pkt["Acct-Session-Id"][0]
        key = (pkt.source, pkt.id, bytes(pkt.authenticator))
        copies = self.seen[key] = self.seen.get(key, 0) + 1
        signed = "Message-Authenticator" in pkt.keys()
        told = {name: [value if isinstance(value, (str, int)) else value.hex() for value in pkt[name]]
                for name in pkt.keys() if isinstance(name, str)}
        print(json.dumps({
            "code": pkt.code, "id": pkt.id, "port": pkt.source[1], "copy": copies, "signed": signed,
            "signature_right": signed and pkt.verify_message_authenticator(), "attributes": told,
        }), flush=True)
        how, *words = session.split()
        reply = self.CreateReplyPacket(pkt)
        if how == "nak":
            reply.code = packet.DisconnectNAK if pkt.code == packet.DisconnectRequest else packet.CoANAK
            if words[0] != "0":
                reply["Error-Cause"] = int(words[0])
        if how == "forged":
            reply.secret = b"another secret"
        if how == "silent" or how == "lossy" and copies == 1:
            return
        if how == "late":
            threading.Timer(int(words[0]) / 1000, self.SendReplyPacket, (pkt.fd, reply)).start()
            return
        self.SendReplyPacket(pkt.fd, reply)

    HandleCoaPacket = HandleDisconnectPacket = answer


here = os.path.dirname(os.path.abspath(__file__))
nas = NAS(dict=dictionary.Dictionary(os.path.join(here, "dictionary")), auth_enabled=False, acct_enabled=False,
          coa_enabled=True, coaport=0, hosts={"127.0.0.1": server.RemoteHost("127.0.0.1", sys.argv[1].encode(), "linegate")})
nas.BindToAddress("127.0.0.1")
print(nas.coafds[0].getsockname()[1], flush=True)
nas.Run()
