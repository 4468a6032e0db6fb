import sys, zmq
socket = zmq.Context().socket(zmq.REQ)
socket.connect(sys.argv[1])
socket.send_multipart([b"BIFRONS1", b'{"verb": "classify"}', open(sys.argv[2], "rb").read()])
print(socket.recv_multipart()[1].decode())
