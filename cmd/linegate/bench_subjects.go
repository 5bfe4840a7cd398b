package main

import (
	"fmt"
	"os"

	"linegate"
	"linegate/cmd/linegate/problem"
	"linegate/dictionary"
	"linegate/radiusd/client"
)

// readSubjects reads the subscribers that a load can ask for. left is how many
// of the file's can't be: their status or their hashed password forbids to foresee
// an accept.
func readSubjects(path string) (subjects []client.Subject, left int, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	found := &problem.List{File: path, Most: mostRowErrors}
	table, ok := readSubscriberCSV(file, found)
	if !ok {
		return nil, 0, found.Err()
	}
	var usable []*linegate.Subscriber
	for table.next() {
		subscriber := &linegate.Subscriber{}
		table.into(subscriber)
		subscriber.Normalize()
		if subscriber.Status != linegate.StatusActive || subscriber.Credential.Hashed() {
			left++
			continue
		}
		if subscriber.Profile == nil {
			subscriber.Profile = &linegate.NetworkProfile{}
		}
		usable = append(usable, subscriber)
	}
	if err := table.err(); err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	if err := found.Err(); err != nil {
		return nil, 0, err
	}
	if len(usable) == 0 {
		return nil, 0, fmt.Errorf("%s: no active subscriber with a password that is no hash", path)
	}
	subjects, err = makeSubjects(usable)
	return subjects, left, err
}

// makeSubjects gives each subscriber the own line and a wrong one: another
// subscriber's, so that a server that mixes them up is found out.
func makeSubjects(subscribers []*linegate.Subscriber) ([]client.Subject, error) {
	names, err := dictionary.Standard(dictionary.DocumentationPEN)
	if err != nil {
		return nil, err
	}
	nowhere, err := lineOctets(names, &linegate.NetworkProfile{CircuitID: "nobody's line", RemoteID: "nobody"})
	if err != nil {
		return nil, err
	}
	subjects := make([]client.Subject, len(subscribers))
	for i, subscriber := range subscribers {
		profile := subscriber.Profile
		right, err := lineOctets(names, profile)
		if err != nil {
			return nil, fmt.Errorf("subscriber %s: %w", subscriber.Username, err)
		}
		subjects[i] = client.Subject{
			UserName: subscriber.Username, Password: subscriber.Credential.Value.Reveal(), Address: profile.StaticIPv4,
			Right:       right,
			AcceptWrong: subscriber.Credential.Kind != linegate.CredentialNone && (profile.Option82Policy != linegate.Option82Enforce || !profile.NamesLine()),
		}
	}
	for i := range subjects {
		other := (i + 1 + len(subjects)/2) % len(subjects)
		subjects[i].Wrong = subjects[other].Right
		if !differs(subscribers[i].Profile, subscribers[other].Profile) {
			subjects[i].Wrong = nowhere
		}
	}
	return subjects, nil
}

// differs reports whether a line is wrong for a profile: one of the fields that
// the profile names is another.
func differs(profile, line *linegate.NetworkProfile) bool {
	return profile.CircuitID != "" && profile.CircuitID != line.CircuitID ||
		profile.RemoteID != "" && profile.RemoteID != line.RemoteID
}

// lineOctets is how a NAS names the line of a profile, framed.
func lineOctets(names *dictionary.Dictionary, profile *linegate.NetworkProfile) ([]byte, error) {
	e := exchange{names: names}
	if err := e.addLine(profile.CircuitID.String(), profile.RemoteID.String()); err != nil {
		return nil, err
	}
	return e.framed()
}
