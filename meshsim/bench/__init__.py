"""What `meshsim bench` measures: graphs, peers, a child process for each case, and the bars."""
