"""ROS 2 nodes of Thymos: thin lifecycle nodes around the SDK, with no logic of their own.

    process        how every node process starts and ends (signals, exit code)
    lifecycle      what all nodes share: parameters, autostart, diagnostics
    params         described, range-checked parameters
    diagnostics    /diagnostics, after the conventions of diagnostic_updater
    ros_time       robot clock ↔ ROS time: the one place
    qos            the three qualities of service
    convert        contract ↔ messages (results); convert_sensors: samples ↔ messages
    bridges        hri_msgs and olfaction_msgs, when they are installed
    sensors        camera and microphone; enose_node: the nose, and zeroing it
    perception_node, reasoner_node, responder_node, speaker_node
    graph          the table of processes: launch files, `thymos graph` and tests read it
    replay         a recording onto live topics, with /clock

`python -m thymos_nodes.camera` (and so on) starts one node.
"""

__version__ = "0.1.0"
